// Package telemetry sends the traces of the rooms to a collector of OpenTelemetry, by OTLP over HTTP.
//
// Its promise: a collector that is slow, away or refuses holds up no mail. Spans wait in memory up to a bound, and beyond it they are
// dropped.
package telemetry
