package config

import (
	"time"

	"github.com/letterhook/letterhook/cmd/letterhook/notice"
)

const (
	minute = Duration(time.Minute)
	hour   = 60 * minute
	day    = 24 * hour
	kib    = Size(1 << 10)
	mib    = Size(1 << 20)
	gib    = Size(1 << 30)
)

// Default is the configuration of a server whose file sets nothing. It is not valid by itself: a hostname, a public
// URL and a data folder have no sensible default.
func Default() *Config {
	return &Config{
		SMTP: SMTP{
			MaxMessageSize:       25 * mib,
			MaxRecipients:        100,
			MaxLineLength:        64 * kib,
			MemoryPerMessage:     1 * mib,
			MemoryTotal:          64 * mib,
			MaxReceived:          50,
			CommandTimeout:       5 * minute,
			DataIdleTimeout:      5 * minute,
			SessionTimeout:       1 * hour,
			MaxConnections:       2000,
			MaxConnectionsPerIP:  50,
			MaxErrors:            20,
			MaxUnknownRecipients: 20,
			MaxAuthFailures:      10,
			MaxCommands:          1000,
			MaxMessages:          1000,
			ShutdownTimeout:      30 * Duration(time.Second),
		},
		TLS:  TLS{MinVersion: "1.2", ACME: defaultACME()},
		OIDC: OIDC{Scopes: []string{"email", "profile"}, GroupsClaim: "groups"},
		HTTP: HTTP{Private: HTTPListener{Address: "127.0.0.1:9025"}},
		Storage: Storage{
			DatabaseConnections: 8,

			Blobs:        BlobsFolder,
			PacksInBlobs: true,
			S3:           S3{Presign: true},
			MinFree:      1 * gib,
			LinkLifetime: 7 * day,
			Retention:    Retention{Messages: 30 * day, Attachments: 30 * day, Attempts: 90 * day},
		},
		Delivery: Delivery{
			Schedule: []Duration{
				5 * Duration(time.Second), 30 * Duration(time.Second), 2 * minute, 10 * minute, 30 * minute,
				2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
			},
			Timeout:       15 * Duration(time.Second),
			MaxAge:        7 * day,
			DisableAfter:  5 * day,
			Concurrency:   32,
			Workers:       2048,
			BytesInFlight: 64 * mib,
			MemoryBudget:  8 * mib,
			MaxBody:       256_000,
			DrainTimeout:  20 * Duration(time.Second),
		},
		Defence:        defaultDefence(),
		Authentication: defaultAuthentication(),

		Scanners: defaultScanners(),
		Notices:  Notices{Mail: NoticeMail{TLS: notice.StartTLS}},
		Tracing:  Tracing{Sample: 1},
		Log:      Log{Format: "text", Level: "info"},
	}
}
