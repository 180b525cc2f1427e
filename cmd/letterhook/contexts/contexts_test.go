package contexts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func read(t *testing.T, path string) *contexts.File {
	t.Helper()
	f, err := contexts.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestContexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "contexts.json")
	f := read(t, path)
	if c, err := f.Select("", environment()); c != nil || err != nil {
		t.Errorf("without contexts: %+v %v", c, err)
	}
	f.Put(contexts.Context{Name: "prod", URL: "https://one.example", Key: "lhk_1"})
	f.Put(contexts.Context{Name: "dev", URL: "http://127.0.0.1:8080"})
	f.Put(contexts.Context{Name: "prod", URL: "https://two.example", Key: "lhk_2"})
	if err := f.Use("prod"); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	f = read(t, path)
	if strings.Join(f.Names(), " ") != "dev prod" {
		t.Errorf("%v", f.Names())
	}
	for _, test := range []struct {
		name         string
		env          []string
		url, key, no string
	}{
		{"", nil, "https://two.example", "lhk_2", ""},
		{"dev", nil, "http://127.0.0.1:8080", "", ""},
		{"local", []string{"LETTERHOOK_URL", "https://env.example"}, "", "", ""},
		{"", []string{"LETTERHOOK_URL", "https://env.example", "LETTERHOOK_KEY", "lhk_env"}, "https://env.example", "lhk_env", ""},
		{"", []string{"LETTERHOOK_URL", "https://env.example"}, "https://env.example", "", ""}, // never the key of another server
		{"", []string{"LETTERHOOK_KEY", "lhk_env"}, "https://two.example", "lhk_env", ""},
		{"dev", []string{"LETTERHOOK_URL", "https://env.example"}, "http://127.0.0.1:8080", "", ""},
		{"dev", []string{"LETTERHOOK_KEY", "lhk_env"}, "http://127.0.0.1:8080", "", ""},
		{"none", nil, "", "", "only dev, prod"},
	} {
		c, err := f.Select(test.name, environment(test.env...))
		switch {
		case test.no != "":
			if err == nil || !strings.Contains(err.Error(), test.no) {
				t.Errorf("%+v: %v", test, err)
			}
		case err != nil:
			t.Errorf("%+v: %v", test, err)
		case test.url == "":
			if c != nil {
				t.Errorf("%+v: %+v", test, c)
			}
		case c == nil || c.URL != test.url || c.Key != test.key:
			t.Errorf("%+v: %+v", test, c)
		}
	}
	if err := f.Remove("prod"); err != nil || f.Current != "" {
		t.Errorf("%v, current %q", err, f.Current)
	}
	if f.Remove("prod") == nil || f.Use("prod") == nil || f.Use("local") != nil {
		t.Error("what is gone is there")
	}
}

// TestOthersCanRead: keys that others can read are not used.
func TestOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contexts.json")
	if err := os.WriteFile(path, []byte(`{"contexts": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	read(t, path)
	for _, mode := range []os.FileMode{0o640, 0o604} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := contexts.Read(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{"prod": true, "eu-1.mail_x": true, "local": false, "": false, "-x": false, "a b": false, strings.Repeat("a", 65): false} {
		if err := contexts.CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
