package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/letterhook/letterhook/dispatch"
)

// readSecretLines reads the signing keys of a file, one a line; empty lines and lines that start with # are skipped.
func readSecretLines(path string) ([]Secret, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	var secrets []Secret
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		secret, err := dispatch.ParseSecret(line)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}
