package storage

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"strings"
)

// schemaLock is the number of the advisory lock around a step of the schema: "letterho" in ASCII.
const schemaLock = 0x6c657474_6572686f

const createPostgresVersions = `CREATE TABLE IF NOT EXISTS schema_version
	(version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL, contracts BIGINT NOT NULL)`

// migratePostgres brings the database forward by the steps that it does not have yet, each in a transaction of its own under a lock,
// so that nodes that start together take turns and each finds what the others have done. A step that the program does not know is
// taken as it is when it expands, and refused when it contracts. With check nothing is changed.
func migratePostgres(w *writer, steps []schemaStep, check bool) error {
	for _, step := range steps {
		if !strings.HasPrefix(step.text, stepExpands) && !strings.HasPrefix(step.text, stepContracts) {
			return fmt.Errorf("schema step %d does not say in its first line whether it expands or contracts", step.version)
		}
	}
	if check {
		there, err := w.queryInt("SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_version')")
		if err != nil || there == 0 {
			return cmp.Or(err, fmt.Errorf("%w: it has none; start the server once", ErrSchema))
		}
		missing, err := missingPostgresSteps(w, steps)
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("%w: it lacks version %d; start the server once, it brings the database forward", ErrSchema, missing[0].version)
		}
		return err
	}
	for {
		done := false
		err := w.transact(func() (err error) {
			if _, err := w.exec("SELECT pg_advisory_xact_lock(?)", int64(schemaLock)); err != nil {
				return err
			}
			done, err = nextPostgresStep(w, steps)
			return err
		})
		if err != nil || done {
			return err
		}
	}
}

// nextPostgresStep applies the first of the missing steps; done: there was none.
func nextPostgresStep(w *writer, steps []schemaStep) (done bool, err error) {
	if _, err := w.exec(createPostgresVersions); err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	missing, err := missingPostgresSteps(w, steps)
	if err != nil || len(missing) == 0 {
		return true, err
	}
	step := missing[0]
	contracts := int64(0)
	if strings.HasPrefix(step.text, stepContracts) {
		contracts = 1
	}
	if err = w.script(step.text); err == nil {
		_, err = w.exec("INSERT INTO schema_version (version, applied_at, contracts) VALUES (?, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, ?)",
			step.version, contracts)
	}
	if err != nil {
		return false, fmt.Errorf("bring schema to version %d: %w", step.version, err)
	}
	return false, nil
}

func missingPostgresSteps(w *writer, steps []schemaStep) (missing []schemaStep, err error) {
	contracts := map[int64]bool{}
	err = w.query(func(row []driver.Value) error {
		contracts[row[0].(int64)] = row[1].(int64) > 0
		return nil
	}, "SELECT version, contracts FROM schema_version")
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	for _, step := range steps {
		if _, applied := contracts[step.version]; !applied {
			missing = append(missing, step)
		}
		delete(contracts, step.version)
	}
	for version, contracts := range contracts { // what is left
		if contracts {
			return nil, fmt.Errorf("%w: version %d, which this program does not know; use the newer program again", ErrSchema, version)
		}
	}
	return missing, nil
}

// checkServer refuses a server that does not keep what it has committed, and warns of one that may lose it in an outage of its own.
func checkServer(w *writer, log *slog.Logger) error {
	set := map[string]string{}
	err := w.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		set[name], _ = row[1].(string)
		return nil
	}, "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'transaction_read_only')")
	if err != nil {
		return fmt.Errorf("read the settings of the server: %w", err)
	}
	for _, name := range []string{"fsync", "synchronous_commit"} {
		if set[name] == "off" {
			return fmt.Errorf("the database server runs with %s = off: it forgets mail that was accepted; set it to on", name)
		}
	}
	if set["full_page_writes"] == "off" {
		log.Warn("the database server runs with full_page_writes = off: unless its file system never tears a page, an outage can damage the database")
	}
	// Without the role pg_monitor the state of a standby is not shown; then nothing is said.
	asynchronous, err := w.queryInt(`SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'async' AND application_name NOT IN ('pg_basebackup', 'pg_receivewal')
		AND NOT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))`)
	if err == nil && asynchronous > 0 {
		log.Warn("the standbys of the database are asynchronous: a failover can lose the last mail that was accepted", "standbys", asynchronous)
	}
	return nil
}
