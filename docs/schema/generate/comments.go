package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// comments are what the sources of a package say of its types and constants.
type comments struct {
	types     map[string]string            // by type
	fields    map[string]map[string]string // by type and field
	constants map[string]string            // values of string constants, by name
}

// readComments reads the sources in a folder, without tests.
func readComments(folder string) (*comments, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no sources in %s: %w", folder, err)
	}
	c := &comments{types: map[string]string{}, fields: map[string]map[string]string{}, constants: map[string]string{}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading comments: %w", err)
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok {
				c.add(d)
			}
		}
	}
	return c, nil
}

func (c *comments) add(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			if len(s.Names) == 1 && len(s.Values) == 1 {
				if lit, ok := s.Values[0].(*ast.BasicLit); ok {
					c.constants[s.Names[0].Name] = unquote(lit.Value)
				}
			}
		case *ast.TypeSpec:
			c.types[s.Name.Name] = oneLine(d.Doc.Text())
			if t, ok := s.Type.(*ast.StructType); ok {
				c.addFields(s.Name.Name, t)
			}
		}
	}
}

// addFields notes the comments of a type's fields, and of those of a type without a name within it under "Outer.Field".
func (c *comments) addFields(name string, t *ast.StructType) {
	c.fields[name] = map[string]string{}
	last := ""
	for _, f := range t.Fields.List {
		text := oneLine(f.Doc.Text())
		if text == "" {
			text = oneLine(f.Comment.Text())
		}
		for _, ident := range f.Names {
			// One comment may stand over several fields that it names.
			if text == "" && mentions(last, ident.Name) {
				text = last
			}
			c.fields[name][ident.Name] = text
			if inner, ok := f.Type.(*ast.StructType); ok {
				c.addFields(name+"."+ident.Name, inner)
			}
		}
		last = text
	}
}

func mentions(text, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(text)
}

func unquote(literal string) string {
	if s, err := strconv.Unquote(literal); err == nil {
		return s
	}
	return literal
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

var link = regexp.MustCompile(`\[(\w+)\]`)

// describe makes a comment for readers of Go one for readers of JSON: a field is called by its key where it is first named, and
// a constant is its value.
func (c *comments) describe(text string, keys map[string]string) string {
	text = link.ReplaceAllStringFunc(text, func(l string) string {
		if value, ok := c.constants[strings.Trim(l, "[]")]; ok {
			return value
		}
		return strings.Trim(l, "[]")
	})
	for value, key := range keys {
		at := regexp.MustCompile(`\b` + regexp.QuoteMeta(value) + `\b`).FindStringIndex(text)
		if at != nil {
			text = text[:at[0]] + key + text[at[1]:]
		}
	}
	for name, value := range c.constants {
		if strings.HasPrefix(name, "Event") && mentions(text, name) {
			text = strings.ReplaceAll(text, name, value)
		}
	}
	return text
}
