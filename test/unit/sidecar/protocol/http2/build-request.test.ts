import t from 'tap';
import { RequestBuilder } from '../../../../../sidecar/protocol/http2/build-request.ts';
import { GET } from './wire.ts';

t.test('two requests that differ in what the calling sidecar says of them are two heads', t => {
  const builder = new RequestBuilder(true);
  const fields = {
    'outrider-to': ['a.shop', 'b.shop'],
    'outrider-port': ['8080', '8081'],
    'outrider-route': ['x', 'y'],
  };
  const thrift = { 'outrider-thrift': ['framed;binary;call', 'framed;binary;oneway'] };
  for (const [name, [first = '', second = '']] of Object.entries({ ...fields, ...thrift })) {
    const heads = [first, second, first].map(value => builder.build([...GET, name, value], []));
    const links = heads.map(head => (typeof head === 'string' ? undefined : head.link));
    t.not(heads[0], heads[1], name);
    t.notSame(links[0], links[1], name);
    t.same(links[0], links[2], name);
  }
  t.end();
});

t.test('what an app says under the names of the mesh makes no difference', t => {
  const builder = new RequestBuilder(false);
  const first = builder.build([...GET, 'outrider-port', '1'], []);
  t.equal(builder.build([...GET, 'outrider-port', '2'], []), first);
  t.end();
});
