// Package notice tells operators of what happens to endpoints: by a webhook of their own, signed like any other, and by plain mail
// through a smarthost.
//
// Each change is told once, in the order in which they came; what comes within a few seconds goes in one mail. What could not be
// told is tried again a few times. Notices lie in memory: what was not told when the program ends is in its log alone.
package notice
