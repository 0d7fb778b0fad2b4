/** What a route answers. A body in parts is sent as it comes. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | AsyncIterable<string>;
  /** Done once the answer has been sent. */
  readonly afterwards?: () => void;
}

export const PLAIN = 'text/plain; charset=utf-8';
export const JSON_TYPE = 'application/json; charset=utf-8';
export const HTML = 'text/html; charset=utf-8';

/** `text` with a line end. */
export const textReply = (status: number, text: string): Reply => ({ status, contentType: PLAIN, body: `${text}\n` });

export const jsonReply = (value: unknown, status = 200): Reply => ({
  status,
  contentType: JSON_TYPE,
  body: `${JSON.stringify(value, redact, 2)}\n`,
});

/** A PEM private key, and a JWT. */
const SECRET = /-----BEGIN [A-Z ]*PRIVATE KEY-----|^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

/** The last line of defence: no source should hand over a secret. */
const redact = (_name: string, value: unknown): unknown =>
  typeof value === 'string' && SECRET.test(value) ? '[redacted]' : value;
