package throwaway_test

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/letterhook/letterhook/storage/throwaway"
)

// What others have started, to die with its thread, outlives a cluster that is stopped.
func TestAStoppedClusterTakesNobodyAlong(t *testing.T) {
	cluster := throwaway.StartPostgres(t)
	for range 3 {
		var children []*exec.Cmd
		started := make(chan *exec.Cmd)
		for range 16 {
			go func() { // each on a thread of its own, or one that is free
				c := exec.Command("sleep", "600")
				c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				if err := c.Start(); err != nil {
					t.Error(err)
				}
				started <- c
			}()
		}
		for range 16 {
			children = append(children, <-started)
		}
		if err := cluster.Stop(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Stop(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		for _, c := range children {
			var state syscall.WaitStatus
			if pid, err := syscall.Wait4(c.Process.Pid, &state, syscall.WNOHANG, nil); pid != 0 || err != nil {
				t.Errorf("%d has ended: %v", c.Process.Pid, state.Signal())
				continue
			}
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
	}
}
