package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/letterhook/letterhook/dispatch"
)

// Duration is a span of time written as "30s", "5m", "1h30m" or "7d". A day has 24 hours.
type Duration time.Duration

// UnmarshalText reads a duration. Negative ones are refused.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	var days time.Duration
	if n, rest, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return errors.New(`not a duration: write it like "30s", "5m", "1h30m" or "7d"`)
		}
		days, s = time.Duration(v)*24*time.Hour, rest
	}
	var part time.Duration
	if s != "" || days == 0 {
		var err error
		if part, err = time.ParseDuration(s); err != nil {
			return errors.New(`not a duration: write it like "30s", "5m", "1h30m" or "7d"`)
		}
	}
	if part < 0 {
		return errors.New("a duration cannot be negative")
	}
	if days > math.MaxInt64-part {
		return errors.New("too long")
	}
	*d = Duration(days + part)
	return nil
}

// Std is d for the standard library.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes d as [Duration.UnmarshalText] reads it.
func (d Duration) String() string {
	if d > 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// Size is a number of octets, written as "25MiB", "64KiB", "256kB" or a plain number.
type Size int64

// UnmarshalText reads a size: kB, MB, GB, TB count in thousands, KiB, MiB, GiB, TiB in 1,024s.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "BKMGTikb ")
	unit := strings.TrimSpace(string(text[len(number):]))
	factors := map[string]int64{
		"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
	factor, known := factors[unit]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known {
		return errors.New(`not a size: write it like "25MiB", "256kB" or 1024`)
	}
	if n < 0 {
		return errors.New("a size cannot be negative")
	}
	if n > math.MaxInt64/factor {
		return errors.New("too large")
	}
	*s = Size(n * factor)
	return nil
}

// String writes s with the largest unit of 1,024 that divides it.
func (s Size) String() string {
	n, unit := int64(s), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, next
	}
	return strconv.FormatInt(n, 10) + unit
}

// Secret is a Standard Webhooks signing key, written as [dispatch.FormatSecret] does. It prints as a placeholder so that
// it cannot reach a log.
type Secret []byte

// UnmarshalText is [dispatch.ParseSecret].
func (s *Secret) UnmarshalText(text []byte) error {
	key, err := dispatch.ParseSecret(string(text))
	if err != nil {
		return err
	}
	*s = key
	return nil
}

// String hides the secret.
func (s Secret) String() string { return "whsec_..." }
