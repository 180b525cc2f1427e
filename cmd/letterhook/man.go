package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write manual pages into a folder, one for each command",
		Long: `Write manual pages into a folder, one for each command, to be read with man.

With SOURCE_DATE_EPOCH in the environment they bear that date, so that the same program always writes the same pages.`,
		Example: "  letterhook man /usr/local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(cmd.Root(), args[0])
		},
	}
}

func writeManual(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Title: "LETTERHOOK", Section: "1", Source: "Letterhook " + version(), Manual: "Letterhook"}
	if os.Getenv("SOURCE_DATE_EPOCH") == "" {
		now := time.Now().UTC()
		header.Date = &now
	}
	if err := doc.GenManTree(root, header, filepath.Clean(dir)); err != nil {
		return fmt.Errorf("writing the manual: %w", err)
	}
	return nil
}
