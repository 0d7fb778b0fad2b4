/** Calls the accounts of the bank; `fetch` finds it by way of HTTP_PROXY. */
import { call, read, TYPE } from './envelope.mjs';

const invoke = async (method, ...args) => {
  const options = { method: 'POST', headers: { 'content-type': TYPE }, body: call(method, args) };
  const answer = await fetch('http://bank/remoting/accounts', options);
  const { kind, next } = read(Buffer.from(await answer.arrayBuffer()));
  if (kind === 'R') return next();
  const { code, message } = next();
  throw Object.assign(new Error(message), { code });
};

/** Hessian has no streams: a long answer comes in pages, each asked for when it is wanted. */
async function* pages(most) {
  for (let first = 0; ; first += most) {
    const page = await invoke('statement', first, most);
    if (page.length === 0) return;
    yield page;
  }
}

console.log('one call:', await invoke('deposit', 'ann', 5), await invoke('deposit', 'ann', -5));
console.log('at once:', await Promise.all(['ann', 'ben', 'cat'].map(name => invoke('balance', name))));
for await (const page of pages(5)) console.log('a page:', page.join(', '));
await invoke('withdraw').catch(({ code, message }) => console.log('refused by the server:', code, message));
await invoke('audit').catch(({ code, message }) => console.log('ended by the mesh:', code, message.split(' [')[0]));
