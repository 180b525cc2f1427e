package dispatch

import (
	"testing"

	"github.com/letterhook/letterhook/storage/throwaway"
)

func TestMain(m *testing.M) { throwaway.Main(m) }
