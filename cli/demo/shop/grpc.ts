/** The shop's gRPC interface, and calls of it as promises. */
import {
  Client,
  credentials,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** shop.proto, as protobuf.js writes it down. */
const DEFINITIONS = fromJSON({
  nested: {
    shop: {
      nested: {
        Item: { fields: { id: { type: 'int32', id: 1 }, count: { type: 'int32', id: 2 } } },
        Level: { fields: { count: { type: 'int32', id: 1 } } },
        Receipt: { fields: { number: { type: 'int32', id: 1 } } },
        Inventory: {
          methods: {
            Stock: { requestType: 'Item', responseType: 'Level', comment: 'How many there are.' },
            Reserve: { requestType: 'Item', responseType: 'Level', comment: 'Takes some.' },
          },
        },
        Orders: {
          methods: { Place: { requestType: 'Item', responseType: 'Receipt', comment: 'Reserves and charges.' } },
        },
      },
    },
  },
});

type Service = 'Inventory' | 'Orders';
type Answer = Readonly<Record<string, number>>;

const definitionOf = (service: Service) =>
  DEFINITIONS[`shop.${service}`] as Readonly<Record<string, MethodDefinition<object, object>>>;

/** Serves unary methods on 127.0.0.1; an error becomes the status INTERNAL. */
export const serveGrpc = (
  service: Service,
  port: number,
  methods: Readonly<Record<string, (request: Answer) => Promise<Answer> | Answer>>,
): void => {
  const server = new Server();
  const handlers = Object.entries(methods).map(([name, handle]) => [
    name,
    async (call: { readonly request: Answer }, done: sendUnaryData<Answer>) => {
      try {
        done(null, await handle(call.request));
      } catch (error) {
        done({ code: 13, details: String(error) });
      }
    },
  ]);
  server.addService(definitionOf(service), Object.fromEntries(handlers));
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), error => {
    if (error !== null) throw error;
  });
  process.once('SIGTERM', () => server.tryShutdown(() => process.exit(0)));
};

/** A client that finds the service by its name in the mesh: grpc-js follows `grpc_proxy` by itself. Port 80: the service's first. */
export const grpcClient = (service: Service) => {
  const client = new Client(`${service.toLowerCase()}:80`, credentials.createInsecure());
  const methods = definitionOf(service);
  return (name: string, request: Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const method = methods[name];
      if (method === undefined) throw new Error(`${service} has no method ${name}`);
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        { deadline: Date.now() + 5_000 },
        (error, answer) => (error === null ? resolve(answer as Answer) : reject(error)),
      );
    });
};
