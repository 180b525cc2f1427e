// Mints signed reply addresses without dependencies. docs/reply-addresses.md explains them. Node 18 or newer.
//
//     REPLY_KEY=replykey_... node mint.mjs reply in.example.com ticket-42 1798761600
//
// The last argument, the end of the address's life in seconds of the Unix epoch, may be left out: it then lives forever.
import { createHmac } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAX_LOCAL_PART = 64; // octets, RFC 5321 section 4.5.3.1.1

/** Makes an address. key is the text replykey_..., the local-part is in lower case, the domain in lower-case A-labels. */
export function mint(key, localPart, domain, data, expiresAt = 0) {
  const secret = Buffer.from(key.replace(/^replykey_/, ''), 'base64');
  const minutes = Math.ceil(expiresAt / 60);
  if (!(minutes >= 0 && minutes < 2 ** 28)) throw new RangeError('the end of its life lies outside the years 1970 to 2480');
  const word = Buffer.alloc(4);
  word.writeUInt32BE(2 ** 28 + minutes);
  const signed = Buffer.concat([word, Buffer.from(data)]);
  const mac = createHmac('sha256', secret).update(`letterhook reply address\n${localPart}@${domain}\n`).update(signed).digest();
  const local = `${localPart}+${base32(Buffer.concat([signed, mac.subarray(0, 10)]))}`;
  if (Buffer.byteLength(local) > MAX_LOCAL_PART) throw new RangeError('the data does not fit');
  return `${local}@${domain}`;
}

/** RFC 4648 section 6 in lower case and without padding. */
function base32(octets) {
  let bits = '';
  for (const octet of octets) bits += octet.toString(2).padStart(8, '0');
  return bits.replace(/.{1,5}/g, (five) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five.padEnd(5, '0'), 2)]);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [, , ...args] = process.argv;
  try {
    if (!process.env.REPLY_KEY?.startsWith('replykey_')) throw new RangeError('REPLY_KEY is not set');
    if (args.length < 3 || args.length > 4) throw new RangeError('usage: node mint.mjs LOCAL-PART DOMAIN DATA [EXPIRES]');
    console.log(mint(process.env.REPLY_KEY, args[0], args[1], args[2], Number(args[3] ?? 0)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
