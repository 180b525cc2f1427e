package dispatch

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// allowance bounds the octets that some kind of work holds in memory, by estimate. Whoever waits is served in turn; so that
// what is large makes nothing small wait, it has a part of its own.
type allowance struct {
	small, large         *semaphore.Weighted
	smallSize, largeSize int64
}

func newAllowance(size int64) *allowance {
	large := size / 4
	small := size - large
	return &allowance{small: semaphore.NewWeighted(small), large: semaphore.NewWeighted(large), smallSize: small, largeSize: large}
}

// share is a part of an allowance; at first it is empty. Not safe for concurrent use.
type share struct {
	from *allowance
	of   *semaphore.Weighted // nil: empty
	size int64
}

// take waits for n octets; what is larger than all there is waits for all of it. A share that is not empty keeps what it
// has, but for what exceeds n.
func (s *share) take(ctx context.Context, n int64) error {
	if s.of != nil {
		if n < s.size {
			s.of.Release(s.size - n)
			s.size = n
		}
		return nil
	}
	of, size := s.from.small, n
	if n > s.from.smallSize/16 {
		of, size = s.from.large, min(n, s.from.largeSize)
	}
	if err := of.Acquire(ctx, size); err != nil {
		return err
	}
	s.of, s.size = of, size
	return nil
}

// release empties the share.
func (s *share) release() {
	if s.of != nil {
		s.of.Release(s.size)
		s.of, s.size = nil, 0
	}
}
