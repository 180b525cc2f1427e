package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// diskLook is how long one look at the free space is trusted.
const diskLook = time.Second

// disk watches the free space of the data folder.
type disk struct {
	path string
	min  int64 // octets; negative: no limit

	mu     sync.Mutex
	looked time.Time
	full   bool
}

// DiskFull says whether the free space of the data folder is below [Config.MinFree]. It looks at most once a second, so
// it is cheap enough for every mail transaction.
func (s *Store) DiskFull() bool { return s.disk.isFull(time.Now()) }

// FreeSpace is the number of octets that the data folder's file system has left for us.
func (s *Store) FreeSpace() (int64, error) { return freeSpace(s.cfg.Dir) }

func (d *disk) isFull(now time.Time) bool {
	if d.min < 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.looked) < diskLook {
		return d.full
	}
	free, err := freeSpace(d.path)
	// A file system that does not answer is trouble, but not that of being full: the writes will say.
	d.full = err == nil && free < d.min
	d.looked = now
	return d.full
}

func freeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// lockName is the file in a data folder that is locked.
const lockName = "lock"

// lockFolder takes the lock that only one server may hold. It goes with the process, however that ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
