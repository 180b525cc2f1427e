package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/letterhook/letterhook/cmd/letterhook/contexts"
)

func TestMain(m *testing.M) {
	// No test asks a server that whoever runs the tests has in use.
	err := errors.Join(os.Setenv("XDG_CONFIG_HOME", filepath.Join(os.TempDir(), "letterhook-no-contexts")), os.Unsetenv(contexts.EnvURL), os.Unsetenv(contexts.EnvKey))
	if err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"letterhook": main})
}

// TestScripts runs the command line as a user does; testdata/*.txtar read like a manual of it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}
