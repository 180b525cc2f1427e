package config

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/letterhook/letterhook/dispatch"
)

// readKeyLines reads the keys of a file, one a line; empty lines and lines that start with # are skipped.
func readKeyLines[Key any](path string, parse func(string) (Key, error)) ([]Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	var keys []Key
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseSecret is [dispatch.ParseSecret].
func parseSecret(text string) (Secret, error) { return dispatch.ParseSecret(text) }

// keyFile puts the keys of the file that key names in the place of inline, where a file is named.
func keyFile[Key any](c *Config, f *faults, key, path string, inline *[]Key, parse func(string) (Key, error)) {
	if path == "" {
		return
	}
	if len(*inline) > 0 {
		f.addf(c.at(f, key), key, "the keys are given beside it too; give one of the two")
		return
	}
	keys, err := readKeyLines(path, parse)
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("%s holds no key", path)
	}
	if err != nil {
		f.addf(c.at(f, key), key, "%v", err)
		return
	}
	*inline = keys
}

// SigningSecret is a [Secret] that may have an end: "whsec_... until 2026-12-31T00:00:00Z".
type SigningSecret struct {
	Key   Secret
	Until time.Time // zero: none
}

// UnmarshalText is [dispatch.ParseRetiring].
func (s *SigningSecret) UnmarshalText(text []byte) error {
	parsed, err := parseSigning(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

func parseSigning(text string) (SigningSecret, error) {
	parsed, err := dispatch.ParseRetiring(text)
	return SigningSecret{Key: parsed.Key, Until: parsed.Until}, err
}

// stays says that the secret has no end.
func (s SigningSecret) stays() bool { return s.Until.IsZero() }
