/**
 * A text of the configuration as it stands in a field: its UTF-8 octets, one character each, without white space at the ends.
 * Fields are latin1 here; anything else would lose bits when it is written, and a harmless letter could become a line break.
 */
export const wireText = (text: string): string => Buffer.from(text.trim(), 'utf8').toString('latin1');

/** A path of the configuration as it can stand in a request line: what is not allowed there is percent-encoded (RFC 3986 §3.3). */
export const wirePath = (path: string): string =>
  wireText(path).replace(
    /[^!$%&'()*+,\-./0-9:;=@A-Z_a-z~]/g,
    octet => `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
