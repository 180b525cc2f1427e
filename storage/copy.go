package storage

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CopyConfig says what is copied and where to.
type CopyConfig struct {
	// From is a store, on which a server may run. To is an empty place, or one that an earlier copy of the same store was made to and not
	// finished. Of To, Dir is only needed where the database or segments lie in it. To.Blobs may be the very place of From.Blobs: then
	// nothing of it is copied, and it belongs to the copy in the end.
	From, To Config
	// Progress hears how far a stage is, in rows or octets. nil: nobody does.
	Progress func(stage string, done, total int64)
}

// The stages that Progress hears of.
const (
	CopyingBytes = "bytes"
	CopyingRows  = "rows"
	ProvingBytes = "proof"
)

// Copy moves a store to another engine, to other blobs, or both. The source keeps all it has. In the end it says that it has moved, so that no
// server opens it ([ErrMoved], [TakeBack]), and blobs in a place that both use are the target's; until then nothing is changed there.
//
// [Copy.Pass] may run as often as one likes beside the server of the source: what it brings over, the next one need not. Once the source is
// at rest ([Copy.Rest]), [Copy.Finish] brings over what is left, proves that everything is there and hands the target over. Until then no
// server opens the target: its database says that it is a copy in the making, and whose. A copy that was killed goes on where the
// target stands. For what it writes a Copy needs no state but the target's.
type Copy struct {
	cfg      CopyConfig
	source   *Store
	sourceID string
	// movedTo is the id of the store that the source says it has become; empty: it says nothing.
	movedTo string
	sides   struct{ source, target holdings }
	target  copyTarget
	tables  []*copyTable
	// packed: segments become packs in Blobs.
	packed bool
	// rows are read for what messages need, in the place of the source's; nil: those.
	rows *reader
	// growing: the segment that grows comes along as far as it goes.
	growing bool
	// shared: source and target keep their blobs in one place.
	shared bool
	proven map[string]bool // keys of packs and attachments that were read back well
}

// OpenCopy opens both ends and claims the target. An error that Is [ErrNotEmpty] says that something lies there already, one that Is
// [ErrLocked] that another process uses it. The caller closes the copy.
func OpenCopy(ctx context.Context, cfg CopyConfig) (_ *Copy, err error) {
	c := &Copy{cfg: cfg, packed: cfg.To.PackInBlobs, proven: map[string]bool{}}
	if c.cfg.Progress == nil {
		c.cfg.Progress = func(string, int64, int64) {}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	cfg.From.Beside = true
	if c.source, err = Open(ctx, cfg.From); err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	if err := c.identifySource(ctx); err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	if err := c.openTarget(ctx); err != nil {
		return nil, fmt.Errorf("open the target: %w", err)
	}
	if c.tables, err = sameTables(ctx, &c.source.read, &c.target.read); err != nil {
		return nil, fmt.Errorf("compare the databases: %w", err)
	}
	return c, nil
}

// identifySource learns the id of the source's store. One that has moved may be the source of a copy that was killed when it had only the
// target left to set free.
func (c *Copy) identifySource(ctx context.Context) (err error) {
	if err = c.source.read.QueryRowContext(ctx, "SELECT id FROM store").Scan(&c.sourceID); err != nil {
		return err
	}
	if _, _, copying := parseMark(copyMark, c.sourceID); copying {
		return fmt.Errorf("%w: the source itself is one", ErrCopying)
	}
	if source, target, moved := parseMark(movedMark, c.sourceID); moved {
		c.sourceID, c.movedTo = source, target
	}
	return nil
}

// Close lets go of both ends.
func (c *Copy) Close() error {
	errs := []error{c.sides.source.release(), c.target.close(), c.sides.target.release()}
	if c.source != nil {
		errs = append(errs, c.source.Close())
	}
	return errors.Join(errs...)
}

// Rest holds the source, so that no server can open it until Close. An error that Is [ErrLocked] says that one runs.
func (c *Copy) Rest() error {
	if c.sides.source.held {
		return nil
	}
	err := c.sides.source.hold(c.source.engine, c.source.folderToHold())
	if err == nil {
		err = c.sides.source.keepMail()
	}
	if err != nil {
		return fmt.Errorf("hold the source: %w", errors.Join(err, c.sides.source.release()))
	}
	return nil
}

// CopyReport tells what a pass did, and with Finished what there is.
type CopyReport struct {
	Finished bool          `json:"finished"` // the target is complete, proven and free to be opened
	Tables   []TableCopy   `json:"tables"`
	Objects  int           `json:"objects"`        // packs, segments and attachments in the source
	Octets   int64         `json:"octets"`         // in them
	Copied   int           `json:"copied_objects"` // of them, in this pass
	Removed  int           `json:"removed_objects"`
	Messages int64         `json:"messages"`
	Pending  int64         `json:"pending_deliveries"`
	Proven   int           `json:"proven_objects"` // read back from the target, every message in them by its hash
	Faults   []Fault       `json:"faults"`
	Took     time.Duration `json:"took_ns"`
}

// Pass brings over everything that the source has and the target lacks, bytes before rows. With prove it then reads back what it has
// not read back before.
func (c *Copy) Pass(ctx context.Context, prove bool) (*CopyReport, error) {
	began := time.Now()
	r := &CopyReport{Faults: []Fault{}}
	objects, err := c.copyObjects(ctx, r)
	if err == nil {
		err = c.copyRows(ctx, r)
	}
	if err == nil && prove {
		err = c.prove(ctx, r, objects, false)
	}
	if err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	r.Took = time.Since(began)
	return r, nil
}

// Finish is the last pass. It needs the source at rest, and holds it; an error that Is [ErrLocked] says that a server runs, or that one which
// seemed to have ended was only silent, and the source is not held any more. Where it finds no fault, or may finish despite some, the target
// is complete when it returns, and the source serves no more.
func (c *Copy) Finish(ctx context.Context, despiteFaults bool) (*CopyReport, error) {
	if err := c.Rest(); err != nil {
		return nil, err
	}
	began := time.Now()
	r := &CopyReport{Faults: []Fault{}}
	objects, err := c.copyObjects(ctx, r)
	if err == nil {
		err = c.copyRows(ctx, r)
	}
	if err == nil {
		err = c.removeExtras(ctx, r, objects)
	}
	if err == nil {
		err = c.verify(ctx, r, objects)
	}
	if err == nil { // what a node has changed meanwhile is no fault
		err = c.sides.source.alive()
	}
	if err == nil && (len(r.Faults) == 0 || despiteFaults) {
		err = c.handOver(ctx)
		r.Finished = err == nil
	}
	if errors.Is(err, ErrLocked) { // a node has come back, so there is more to be brought over
		err = errors.Join(err, c.sides.source.release())
	}
	if err != nil {
		return nil, fmt.Errorf("finish the copy: %w", err)
	}
	r.Took = time.Since(began)
	return r, nil
}

// walks gives a walk over a table at each end, such that rows that need not be written are equal.
func (c *Copy) walks(t *copyTable) (from, to *rowWalk) {
	from, to = &rowWalk{db: &c.source.read, table: t}, &rowWalk{db: &c.target.read, table: t}
	place := -1
	if c.packed {
		place = slices.IndexFunc(t.columns, func(column copyColumn) bool {
			return t.name == "message" && column.name == "pack" || t.name == "pack" && column.name == "key"
		})
	}
	engine := c.target.engine
	from.sorted = place >= 0 && t.name == "pack"
	from.change = func(row []driver.Value) {
		for i := range row {
			row[i] = engine.argument(row[i])
		}
		if place >= 0 {
			row[place] = packedKey(row[place].(string))
		}
	}
	return from, to
}

// copyRows makes the tables of the target those of the source.
func (c *Copy) copyRows(ctx context.Context, r *CopyReport) error {
	total, err := c.countRows(ctx)
	if err != nil {
		return err
	}
	done := int64(0)
	days := map[time.Time]bool{}
	var linked []*copyTable
	for _, t := range c.tables {
		if t.linked {
			linked = append(linked, t)
			continue
		}
		report := TableCopy{Table: t.name}
		rows := &rowCopy{w: c.target.w, table: t, days: days, report: &report}
		from, to := c.walks(t)
		d := difference{put: rows.put, drop: rows.drop, step: func() {
			if done++; done%copyPage == 0 {
				c.cfg.Progress(CopyingRows, done, total)
			}
		}}
		if err = d.compareTables(ctx, t, from, to); err == nil {
			err = rows.flush()
		}
		if err != nil {
			return err
		}
		report.Rows = d.source
		r.Tables = append(r.Tables, report)
	}
	err = c.copyLinked(ctx, r, linked)
	c.cfg.Progress(CopyingRows, total, total)
	return err
}

// copyLinked writes tables whose rows depend on each other anew, all in one transaction, where anything about them is different.
func (c *Copy) copyLinked(ctx context.Context, r *CopyReport, tables []*copyTable) error {
	changed := int64(0)
	for _, t := range tables {
		report := TableCopy{Table: t.name}
		count := func(n *int64) func([]driver.Value) error {
			return func([]driver.Value) error { *n++; return nil }
		}
		d := difference{put: count(&report.Written), drop: count(&report.Removed)}
		from, to := c.walks(t)
		if err := d.compareTables(ctx, t, from, to); err != nil {
			return err
		}
		report.Rows = d.source
		changed += report.Written + report.Removed
		r.Tables = append(r.Tables, report)
	}
	if changed == 0 {
		return nil
	}
	return c.target.w.transact(func() error {
		for _, t := range slices.Backward(tables) {
			if _, err := c.target.w.exec("DELETE FROM " + t.name); err != nil {
				return fmt.Errorf("write table %s anew: %w", t.name, err)
			}
		}
		for _, t := range tables {
			if err := c.insertAll(ctx, t); err != nil {
				return fmt.Errorf("write table %s anew: %w", t.name, err)
			}
		}
		return nil
	})
}

func (c *Copy) insertAll(ctx context.Context, t *copyTable) error {
	from, _ := c.walks(t)
	for {
		var rows []driver.Value
		for range copyPage {
			row, err := from.next(ctx)
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			rows = append(rows, row...)
		}
		if len(rows) == 0 {
			return nil
		}
		if _, err := c.target.w.execRows(t.put, rows); err != nil {
			return err
		}
	}
}

func (c *Copy) countRows(ctx context.Context) (total int64, err error) {
	for _, t := range c.tables {
		n := int64(0)
		if err := c.source.read.QueryRowContext(ctx, "SELECT count(*) FROM "+t.name).Scan(&n); err != nil {
			return 0, fmt.Errorf("count table %s: %w", t.name, err)
		}
		total += n
	}
	return total, nil
}
