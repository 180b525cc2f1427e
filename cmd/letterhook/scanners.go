package main

import (
	"fmt"

	"github.com/letterhook/letterhook/inbound/scan"
)

// wireScanners prepares the scanners. Nothing is connected before the first message.
func (s *server) wireScanners() error {
	c := s.cfg.Scan()
	c.Log, c.Registerer = s.log, s.registry
	scanners, err := scan.New(c)
	if err != nil {
		return fmt.Errorf("preparing the scanners: %w", err)
	}
	s.scanners = scanners
	return nil
}
