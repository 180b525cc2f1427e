package identity

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type acmeMetrics struct{ obtained, failed prometheus.Counter }

func newACMEMetrics(registerer prometheus.Registerer) acmeMetrics {
	m := acmeMetrics{
		obtained: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "letterhook_acme_obtained_total", Help: "Certificates obtained by ACME, renewals included.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "letterhook_acme_failed_total", Help: "Tries to get a certificate by ACME that failed.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.obtained, m.failed)
	}
	return m
}

// expiry is the metric of when certificates expire. It is read when it is asked for, as certificates come and go.
type expiry struct {
	certificates *Certificates
	desc         *prometheus.Desc
}

// Collector gives the metric letterhook_tls_certificate_expires_in_seconds, for each name of each certificate the longest time.
func (c *Certificates) Collector() prometheus.Collector {
	return expiry{c, prometheus.NewDesc("letterhook_tls_certificate_expires_in_seconds",
		"Time until the certificate for a name expires.", []string{"name"}, nil)}
}

func (e expiry) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- e.desc }

func (e expiry) Collect(metrics chan<- prometheus.Metric) {
	left := map[string]float64{}
	for certificate := range e.certificates.all {
		seconds := time.Until(certificate.Leaf.NotAfter).Seconds()
		for _, name := range certificate.Leaf.DNSNames {
			if before, known := left[name]; !known || seconds > before {
				left[name] = seconds
			}
		}
	}
	for name, seconds := range left {
		metrics <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, seconds, name)
	}
}
