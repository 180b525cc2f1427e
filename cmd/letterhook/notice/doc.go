// Package notice tells operators of what happens to endpoints: by a webhook of their own, signed like any other, and by plain mail
// through a smarthost.
//
// Each change is told once by each way, in the order in which they came; what comes within a few seconds goes in one mail. Notices are
// durable with the change that they tell of. What could not be told is tried again, over restarts, until it is too old to matter. A
// crash between telling and its record tells a notice once more, under the same id.
package notice
