/** The codes of Hessian's faults, as far as the mesh says them. Hessian 2.0 §4.4.3 (Faults). */
export type FaultCode = 'NoSuchObjectException' | 'ProtocolException' | 'ServiceException';

/** Strings up to this length have a form that every version of Hessian 2 reads. */
const MAX_SHORT = 1_023;

/** A reply that is a fault, in the version that the caller reads. What is not printable ASCII in `text` becomes `?`. */
export const faultReply = (version: 1 | 2, code: FaultCode, text: string): Buffer => {
  const message = text.slice(0, MAX_SHORT).replace(/[^\x20-\x7e]/g, '?');
  return version === 1
    ? Buffer.from(`r\x01\0f${[CODE, code, MESSAGE, message].map(string1).join('')}z`, 'latin1')
    : Buffer.from(`H\x02\0FH${[CODE, code, MESSAGE, message].map(string2).join('')}Z`, 'latin1');
};

const CODE = 'code';
const MESSAGE = 'message';

const size16 = (text: string): string => String.fromCharCode(text.length >> 8, text.length & 0xff);

const string1 = (text: string): string => `S${size16(text)}${text}`;

const string2 = (text: string): string =>
  text.length < 0x20
    ? String.fromCharCode(text.length) + text
    : String.fromCharCode(0x30 + (text.length >> 8), text.length & 0xff) + text;
