/** Calls and replies of Hessian 2 around the values of hessian.js, which is a codec for values alone. */
import hessian from 'hessian.js';

export const TYPE = 'x-application/hessian';

const message = (kind, values) => {
  const encoder = new hessian.EncoderV2();
  for (const value of values) encoder.write(value);
  return Buffer.concat([Buffer.from(`H\x02\x00${kind}`, 'latin1'), encoder.get()]);
};

export const call = (method, args) => message('C', [method, args.length, ...args]);
export const reply = value => message('R', [value]);
export const fault = (code, text) => message('F', [{ code, message: text }]);

/** What a message is ('C', 'R' or 'F'), and its values. */
export const read = bytes => {
  const values = new hessian.DecoderV2(Buffer.from(bytes.subarray(4)));
  return { kind: String.fromCharCode(bytes[3]), next: () => values.read() };
};
