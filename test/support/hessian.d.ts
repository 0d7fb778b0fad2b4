/** What the tests use of hessian.js, which brings no types. */
declare module 'hessian.js' {
  export class EncoderV1 {
    constructor(options?: { readonly size: number });
    write(value: unknown): this;
    get(): Buffer;
  }
  export class EncoderV2 extends EncoderV1 {}
  export class DecoderV1 {
    constructor(bytes: Buffer);
    read(): unknown;
    position(): number;
  }
  export class DecoderV2 extends DecoderV1 {}
}
