// Package scan asks spam and virus scanners about messages: rspamd, ClamAV and SpamAssassin, each by its own protocol.
//
// The promise of this package: a message waits for its scanners no longer than the longest of their timeouts, however
// dead, slow or hostile they are; of an answer no more than a bounded part is read; what a scanner did not say is never
// reported as a verdict. What follows from a verdict, or from the want of one, is the operator's choice.
package scan
