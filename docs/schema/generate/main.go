// Command generate writes the JSON Schemas of the events into the folder above it, or into the one that is named.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(".", filepath.Join("..", "..")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // main
	}
}

// run writes the schemas into a folder, with the comments of the sources below root.
func run(to, root string) error {
	all, err := schemas(root)
	if err != nil {
		return err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(to, name+".json"), text, 0o644); err != nil {
			return fmt.Errorf("writing a schema: %w", err)
		}
	}
	return nil
}
