package storage

import "errors"

var (
	// ErrClosed says that the store was closed before the call could be carried out.
	ErrClosed = errors.New("the store is closed")
	// ErrStale says that a completion came too late: its delivery is finished, or another attempt was recorded with the
	// same number. Nothing of it was recorded.
	ErrStale = errors.New("the delivery is no longer in the state the attempt began with")
	// ErrLost says that the lease of a node is over, or that a lane is not its own any more.
	ErrLost = errors.New("the lease of this node is over")
	// ErrBeside says that the call needs the store of the server itself and not one opened beside it.
	ErrBeside = errors.New("the store was opened beside a server")
	// ErrLocked says that another process serves from the same folder.
	ErrLocked = errors.New("another server uses it")
	// ErrSweeping says that attachments of the message are being removed; when that is done the call will do.
	ErrSweeping = errors.New("attachments of the message are being removed; try again later")
	// ErrHolding says that another session has the same mail and waits for the answer of its endpoint.
	ErrHolding = errors.New("the same mail is being held")
	// ErrNotAccepted says that a mail was never accepted, so that only its sender can have it delivered.
	ErrNotAccepted = errors.New("the mail was not accepted: only its sender can send it again")
	// ErrTooManySecrets says that as many secrets of an endpoint sign as may. An overlap of 0 ends all of them at once.
	ErrTooManySecrets = errors.New("10 secrets of the endpoint still sign; wait until one ends, or rotate without an overlap")
	// ErrForeign says that the blobs belong to another store.
	ErrForeign = errors.New("the blobs belong to another store")
	// ErrNotEmpty says that a copy or a backup cannot be made to a place because something lies there.
	ErrNotEmpty = errors.New("it must be empty")
	// ErrCopying says that a store is a copy that is not finished.
	ErrCopying = errors.New("this is a copy in the making: finish it with letterhook copy, or begin anew with an empty place")
	// ErrMoved says that a store was copied to another place, and serves there.
	ErrMoved = errors.New("this installation was moved")
	// ErrNotMoved says that there is nothing to take back.
	ErrNotMoved = errors.New("it was not moved, or was taken back already")
	// ErrErased says that a message was erased: nobody can open its bytes any more.
	ErrErased = errors.New("the message was erased")
	// ErrAlone says that raw messages lie in the data folder of one node, where no other can read them, so that it must be the only one.
	ErrAlone = errors.New("raw messages lie in the data folder of a node, where others cannot read them")
	// ErrOtherKey says that something is sealed with an instance key that was not given.
	ErrOtherKey = errors.New("none of the instance keys given opens it")
	// ErrSchema says that the database was written by a newer version of the program, or not yet brought to this one.
	ErrSchema = errors.New("the database has another schema")
)

// errNoRecipients says that an envelope without recipients was to be accepted; the session never sends one.
var errNoRecipients = errors.New("the envelope has no recipients")
