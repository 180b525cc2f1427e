// A webhook receiver without dependencies. See the README beside it. Node 18 or newer.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const TOLERANCE = 5 * 60; // seconds
const MAX_BODY = 10 << 20; // octets

const secrets = (process.env.WEBHOOK_SECRET ?? '')
  .split(/\s+/)
  .filter(Boolean)
  .map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
if (secrets.length === 0) {
  console.error('WEBHOOK_SECRET is not set');
  process.exit(1);
}

/** Checks a request as Standard Webhooks says. The body is a Buffer with the bytes as they came. */
function verify(id, timestamp, signatures, body, now = Date.now() / 1000) {
  if (!id || !/^\d{1,15}$/.test(timestamp ?? '') || Math.abs(now - Number(timestamp)) > TOLERANCE) {
    return false;
  }
  return (signatures ?? '').split(' ').some((signature) => {
    const [version, encoded] = signature.split(',');
    if (version !== 'v1' || !encoded) return false;
    const got = Buffer.from(encoded, 'base64');
    return secrets.some((secret) => {
      const want = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
      return got.length === want.length && timingSafeEqual(got, want);
    });
  });
}

async function readBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    if ((size += chunk.length) > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const seen = new Set(); // ids that were handled; your database in real life

async function receive(request, response) {
  const answer = (status) => response.writeHead(status, { Connection: status === 413 ? 'close' : 'keep-alive' }).end();
  if (request.method !== 'POST') return answer(405);
  const body = await readBody(request);
  if (body === null) return answer(413);
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = request.headers;
  if (!verify(id, timestamp, signatures, body)) return answer(401);
  let event;
  try {
    event = JSON.parse(body.toString('utf8'));
  } catch {
    return answer(400);
  }
  if (!seen.has(id)) {
    seen.add(id);
    console.log(`${id} ${event.type} ${JSON.stringify(event.data?.subject ?? '')}`);
  }
  answer(204);
}

const server = createServer((request, response) => {
  receive(request, response).catch(() => response.destroy()); // the peer left in the middle
});
const [, host, port] = /^(.*):(\d+)$/.exec(process.env.LISTEN ?? '127.0.0.1:8090');
server.listen(Number(port), host, () => {
  console.log(`listening on http://${host}:${server.address().port}`);
});
