/** PEM, the text form of certificates, requests and keys (RFC 7468). */

/** The DER of every block with this label, in order; text around the blocks is ignored, as the RFC allows. */
export const readPem = (text: string, label: string): Buffer[] => {
  const blocks: Buffer[] = [];
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  for (let from = text.indexOf(begin); from !== -1; from = text.indexOf(begin, from)) {
    const to = text.indexOf(end, from);
    if (to === -1) break;
    blocks.push(Buffer.from(text.slice(from + begin.length, to), 'base64'));
    from = to + end.length;
  }
  return blocks;
};

export const formatPem = (der: Uint8Array, label: string): string => {
  const base64 = Buffer.from(der).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};
