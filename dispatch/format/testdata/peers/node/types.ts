// The models that libraries have of what a vendor posts. This compiles when our requests are such.
import type { Models } from "postmark";
import type { StoredEmailResponse } from "./node_modules/mailgun.js/Types/Types/Messages/Messages.js";
import { postmarkMail, mailgunMail } from "./mails.js";

export const inbound: Models.InboundWebhook = postmarkMail;
// What the library models is the mail as its API gives it out: there content-id-map is an object and not its text.
export const stored: Omit<StoredEmailResponse, "recipients" | "content-id-map" | "attachments" | "Content-Transfer-Encoding"> = mailgunMail;
