// Answers requests in several formats with what JavaScript libraries read in them: 200 and JSON where everything verifies, 400 and
// the reason where something does not. NODE_PATH says where the libraries are.
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.PEERS_MODULES, "peers.cjs"));
const busboy = require("busboy");
const InboundParser = require("@sendgrid/inbound-mail-parser");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const folder = mkdtempSync(join(tmpdir(), "letterhook-peers-"));

// form reads fields and files as multer does, which is what the vendors' examples use.
function form(request, body) {
  return new Promise((resolve, reject) => {
    const read = { body: {}, files: [] };
    const parser = busboy({ headers: request.headers, defParamCharset: "utf8", limits: { fieldSize: 64 << 20 } });
    parser.on("field", (name, value) => (read.body[name] = value));
    parser.on("file", (name, stream, info) => {
      const chunks = [];
      stream.on("data", (c) => chunks.push(c));
      stream.on("end", () => {
        const path = join(folder, String(read.files.length));
        writeFileSync(path, Buffer.concat(chunks));
        read.files.push({ fieldname: name, originalname: info.filename, mimetype: info.mimeType, path });
      });
    });
    parser.on("close", () => resolve(read));
    parser.on("error", reject);
    parser.end(body);
  });
}

const formats = {
  async "/sendgrid"(request, body) {
    const parser = new InboundParser(
      { keys: ["to", "from", "subject", "text", "html", "envelope", "charsets", "attachments", "attachment-info", "email"] },
      await form(request, body),
    );
    // Of a raw mail the library sees that it is there; it looks for its text under another name than the vendor's.
    const files = parser.hasRawEmail() ? [] : await new Promise((resolve) => parser.attachments(resolve));
    return {
      ...parser.keyValues(),
      raw: parser.hasRawEmail(),
      files: files.map((f) => ({ filename: f.filename, type: f.type, sha256: sha256(Buffer.from(f.content, "base64")) })),
    };
  },
  async "/mailgun"(request, body) {
    const { body: fields, files } = await form(request, body);
    expect(hex("sha256", process.env.MAILGUN_SIGNING_KEY, fields.timestamp + fields.token) === fields.signature, "signature");
    expect(Math.abs(Date.now() / 1000 - Number(fields.timestamp)) < 120, "age");
    return { fields, files: files.map((f) => f.originalname) };
  },
  async "/mandrill"(request, body) {
    const events = new URLSearchParams(body.toString()).get("mandrill_events");
    const url = "http://" + request.headers.host + request.url;
    const mac = createHmac("sha1", process.env.MANDRILL_KEY).update(url + "mandrill_events" + events).digest("base64");
    expect(mac === request.headers["x-mandrill-signature"], "signature");
    return JSON.parse(events);
  },
  async "/postmark"(request, body) {
    const want = "Basic " + Buffer.from("actionmailbox:hunter2").toString("base64");
    expect(request.headers.authorization === want, "password");
    return JSON.parse(body);
  },
  async "/json"(request, body) {
    return JSON.parse(body);
  },
};

const sha256 = (b) => createHash("sha256").update(b).digest("hex");
const hex = (kind, key, text) => createHmac(kind, key).update(text).digest("hex");
function expect(ok, what) {
  if (!ok) throw new Error("wrong " + what);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const c of request) chunks.push(c);
  const body = Buffer.concat(chunks);
  try {
    // The library makes a text of the body first, so it can only verify bodies that are UTF-8.
    if (Buffer.from(body.toString()).equals(body)) webhook.verify(body, request.headers);
  } catch (e) {
    // The library parses what it has verified as JSON, which most formats are not.
    if (!(e instanceof SyntaxError)) return response.writeHead(400).end(String(e));
  }
  try {
    const read = await formats[new URL(request.url, "http://localhost").pathname](request, body);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(read));
  } catch (e) {
    response.writeHead(400).end(String(e));
  }
});
server.listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));
