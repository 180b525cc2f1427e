// Package contexts keeps the servers that a user's commands can be about: their URLs and keys, in a file of the user's configuration
// folder that nobody else can read.
package contexts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Local is the name of what is no context: the data on this machine.
const Local = "local"

// The variables that name a server without a context.
const (
	EnvURL = "LETTERHOOK_URL"
	EnvKey = "LETTERHOOK_KEY"
)

// Context is a server, with the key that it is asked with.
type Context struct {
	Name string `json:"name"`
	URL  string `json:"url"`           // the public one
	Key  string `json:"key,omitempty"` // empty: none, for a server that lets this machine in without
}

// File is what the file holds.
type File struct {
	Current  string    `json:"current,omitempty"` // empty: the data on this machine
	Contexts []Context `json:"contexts"`          // by name

	path string
}

// Path is where the file lies; empty: whoever runs this has no folder of his own, as some services have none.
func Path() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "letterhook", "contexts.json")
}

// Read reads the file at path; one that is not there has no contexts. A file that others can read is refused: it holds keys.
func Read(path string) (*File, error) {
	f := &File{path: path, Contexts: []Context{}}
	if path == "" {
		return f, nil
	}
	opened, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return nil, fmt.Errorf("reading the contexts: %w", err)
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the contexts: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("others can read %s, which holds keys: chmod 600 it", path)
	}
	if err := json.NewDecoder(opened).Decode(f); err != nil {
		return nil, fmt.Errorf("reading the contexts in %s: %w", path, err)
	}
	return f, nil
}

// Save writes the file as a whole, or leaves the one that is there. Its mode is 0600.
func (f *File) Save() error {
	if f.path == "" {
		return errors.New("keeping the contexts: there is no HOME to keep them in")
	}
	slices.SortFunc(f.Contexts, func(a, b Context) int { return cmp.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(f.path), 0o700)
	}
	if err != nil {
		return fmt.Errorf("keeping the contexts: %w", err)
	}
	if err := replace(f.path, append(text, '\n')); err != nil {
		return fmt.Errorf("keeping the contexts: %w", err)
	}
	return nil
}

func replace(path string, text []byte) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".contexts-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName says why a context cannot have a name; nil: it can.
func CheckName(name string) error {
	switch {
	case name == Local:
		return fmt.Errorf("%q is the data on this machine, which always is", Local)
	case !nameForm.MatchString(name):
		return fmt.Errorf("%q is no name of a context: letters, digits, dots, - and _, 64 at most", name)
	}
	return nil
}

// Put adds a context, or takes the place of the one with its name.
func (f *File) Put(c Context) {
	if i := f.index(c.Name); i >= 0 {
		f.Contexts[i] = c
		return
	}
	f.Contexts = append(f.Contexts, c)
}

// Remove forgets a context. Where it was the current one, there is none then.
func (f *File) Remove(name string) error {
	i := f.index(name)
	if i < 0 {
		return f.unknown(name)
	}
	f.Contexts = slices.Delete(f.Contexts, i, i+1)
	if f.Current == name {
		f.Current = ""
	}
	return nil
}

// Use makes a context the current one; [Local]: none.
func (f *File) Use(name string) error {
	switch {
	case name == Local:
		f.Current = ""
		return nil
	case f.index(name) < 0:
		return f.unknown(name)
	}
	f.Current = name
	return nil
}

// Names are those of all contexts.
func (f *File) Names() []string {
	names := make([]string, len(f.Contexts))
	for i := range f.Contexts {
		names[i] = f.Contexts[i].Name
	}
	return names
}

func (f *File) index(name string) int {
	return slices.IndexFunc(f.Contexts, func(c Context) bool { return c.Name == name })
}

func (f *File) unknown(name string) error {
	if len(f.Contexts) == 0 {
		return fmt.Errorf("there is no context %q, nor any other: letterhook context add makes one", name)
	}
	return fmt.Errorf("there is no context %q, only %s", name, strings.Join(f.Names(), ", "))
}

// Select gives the server that a command is about: the context with the name; without a name the server of the environment, else the
// current context. Nil: the data on this machine.
func (f *File) Select(name string, getenv func(string) string) (*Context, error) {
	switch {
	case name == Local:
		return nil, nil
	case name == "" && getenv(EnvURL) != "":
		return &Context{URL: getenv(EnvURL), Key: getenv(EnvKey)}, nil
	}
	named := name != ""
	if name = cmp.Or(name, f.Current); name == "" {
		return nil, nil
	}
	i := f.index(name)
	if i < 0 {
		return nil, f.unknown(name)
	}
	c := f.Contexts[i]
	if key := getenv(EnvKey); key != "" && !named { // one that is named has its own: no key goes to a server by chance
		c.Key = key
	}
	return &c, nil
}
