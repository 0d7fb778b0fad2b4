import t from 'tap';
import { decodeHuffman } from '../../../../../../sidecar/protocol/http2/hpack/huffman.ts';

const SCRATCH = Buffer.alloc(64);
const decode = (hex: string, scratch = SCRATCH): string | undefined => {
  const input = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return decodeHuffman(input, 0, input.length, scratch);
};

t.test('strings of RFC 7541 appendix C decode', t => {
  t.equal(decode('f1e3 c2e5 f23a 6ba0 ab90 f4ff'), 'www.example.com');
  t.equal(decode('a8eb 1064 9cbf'), 'no-cache');
  t.equal(decode('6402'), '302');
  t.equal(decode('9bd9 ab'), 'gzip');
  t.equal(decode('9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3'), 'https://www.example.com');
  t.equal(decode(''), '');
  t.end();
});

t.test('padding is at most seven bits, all ones', t => {
  t.equal(decode('1f'), 'a', 'three ones');
  t.equal(decode('1e'), undefined, 'a zero in it');
  t.equal(decode('1f ff'), undefined, 'eleven bits');
  t.equal(decode('ff'), undefined, 'eight bits and nothing else');
  t.equal(decode('07 ff fe'), undefined, 'a code that is cut off');
  t.end();
});

t.test('the end-of-string symbol is refused wherever it stands', t => {
  t.equal(decode('ff ff ff ff'), undefined);
  t.equal(decode('ff ff ff fc'), undefined);
  t.equal(decode('1f ff ff ff ff'), undefined, 'behind an a');
  t.end();
});

t.test('a string larger than the scratch space decodes as well', t => {
  const zeros = Buffer.alloc(50);
  t.equal(decodeHuffman(zeros, 0, zeros.length, Buffer.alloc(8)), '0'.repeat(80), '50 bytes are 80 characters at most');
  t.end();
});
