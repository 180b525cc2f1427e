package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFaults loads every broken configuration of testdata/faults and compares all its faults with the lines that the
// file itself expects: those that start with "#! ". UPDATE_GOLDEN=1 writes them anew.
func TestFaults(t *testing.T) {
	t.Chdir("testdata/faults")
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken configurations: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			environ := []string{"LETTERHOOK_SMTP_MAX_ERRORS=many"}
			if file != "environment.yaml" {
				environ = nil
			}
			_, err := Load(file, environ)
			if err == nil {
				t.Fatal("accepted")
			}
			text := readFile(t, file)
			body, want, _ := strings.Cut(text, "#! ")
			var got strings.Builder
			for line := range strings.Lines(err.Error() + "\n") {
				got.WriteString("#! " + line)
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(file, []byte(body+got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff("#! "+want, got.String()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParse says that no file makes the reader panic, and that a file is either used or faulty.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]\nsmtp: *a\n"))
	f.Add([]byte("hostname: !!str 5\nsmtp: {listeners: [5, {name: {}}]}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("fuzz.yaml", text, nil, func(string) bool { return true })
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
	})
}
