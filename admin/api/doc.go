// Package api is the HTTP API under /api/v1, described by the OpenAPI document that it serves at /api/v1/openapi.json.
//
// The promise of this package: an operation shows and changes what belongs to the account of its key and nothing else, and answers the
// rest as if it were not there; every change stands in the audit log; every answer is one that the document describes; and the text of an
// internal error never leaves the house.
package api
