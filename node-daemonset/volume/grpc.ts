/** gRPC over Unix sockets: what both services need of it. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Logger } from 'pino';
import { Code, VolumeError } from './request.ts';

/** A service of one of the protos beside this file. */
export function serviceOf(proto: string, packageName: string, name: string): ServiceClientConstructor['service'] {
  const path = fileURLToPath(new URL(proto, import.meta.url));
  let found: unknown = loadPackageDefinition(loadSync(path, { keepCase: true, defaults: true }));
  for (const part of [...packageName.split('.'), name]) found = (found as Record<string, unknown>)[part];
  return (found as ServiceClientConstructor).service;
}

/** Every error becomes an answer: one that is not ours is logged, as nobody else would see where it came from. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says which message its proto has
export function answer<Q>(log: Logger, handle: (message: Q) => object | Promise<object>): UntypedHandleCall {
  const reply = async (message: Q): Promise<Parameters<sendUnaryData<object>>> => {
    try {
      return [null, await handle(message)];
    } catch (error) {
      const code = error instanceof VolumeError ? error.code : Code.Internal;
      const text = (error as Error).message.slice(0, 1024);
      if (code === Code.Internal) log.error({ err: error }, 'volume call failed');
      else log.info({ code, reason: text }, 'volume call refused');
      return [{ code, message: text }];
    }
  };
  return ((call: ServerUnaryCall<Q, object>, callback: sendUnaryData<object>) => {
    void (async () => callback(...(await reply(call.request))))();
  }) as UntypedHandleCall;
}

/** Serves at a Unix socket; one of an earlier run is taken over. */
export async function listen(
  socket: string,
  services: readonly [ServiceClientConstructor['service'], UntypedServiceImplementation][],
): Promise<Server> {
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 });
  for (const [service, handlers] of services) server.addService(service, handlers);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

/** A kubelet may keep a connection open for good. */
const SHUTDOWN_MS = 500;

export async function shutDown(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, SHUTDOWN_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  rmSync(socket, { force: true });
}
