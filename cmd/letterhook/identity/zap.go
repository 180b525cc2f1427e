package identity

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger has the library write into log, whatever it says as debug: what matters of it comes as an event and is told in
// words of ours.
func zapLogger(log *slog.Logger) *zap.Logger { return zap.New(bridge{log}) }

// bridge is a [zapcore.Core] over a logger of the standard library.
type bridge struct{ log *slog.Logger }

// Enabled implements [zapcore.LevelEnabler].
func (b bridge) Enabled(zapcore.Level) bool {
	return b.log.Enabled(context.Background(), slog.LevelDebug)
}

// With implements [zapcore.Core].
func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	return bridge{slog.New(b.log.Handler().WithAttrs(attrsOf(fields)))}
}

// Check implements [zapcore.Core].
func (b bridge) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(entry.Level) {
		return checked.AddCore(entry, b)
	}
	return checked
}

// Write implements [zapcore.Core].
func (b bridge) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	attrs := append([]slog.Attr{slog.String("level_there", entry.Level.String()), slog.String("said", entry.Message)}, attrsOf(fields)...)
	b.log.LogAttrs(context.Background(), slog.LevelDebug, "acme", attrs...)
	return nil
}

// Sync implements [zapcore.Core].
func (bridge) Sync() error { return nil }

func attrsOf(fields []zapcore.Field) []slog.Attr {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	var attrs []slog.Attr
	for _, key := range slices.Sorted(maps.Keys(encoder.Fields)) {
		attrs = append(attrs, slog.Any(key, encoder.Fields[key]))
	}
	return attrs
}
