/** Servers that break a persistent connection: a repeatable call survives this, any other call runs once. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { RemoteReplicaLauncher } from '../replica/remote-replica-launcher.js';
import { openInferenceClient } from './open-inference-client.js';

const ANSWER =
  '{"model_name":"m","extensions":[],"outputs":[{"name":"y","datatype":"INT32","shape":[1,1],"data":[1]}]}';
const REPLY = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${ANSWER.length}\r\n\r\n${ANSWER}`;

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

/** Listener of a connection: called for each chunk and each complete request. */
interface Hearer {
  readonly onBytes?: (socket: Socket, answered: number) => void;
  readonly onRequest: (socket: Socket, line: string) => void;
}

/** A server on the bare socket; `answered` counts complete requests of a connection. */
async function rawServer({ onBytes, onRequest }: Hearer): Promise<string> {
  const server: Server = createServer((socket) => {
    let head = '';
    let missing = Number.NaN;
    let answered = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      onBytes?.(socket, answered);
      if (socket.destroyed) return;
      if (Number.isNaN(missing)) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        missing = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0) - (head.length - end - 4);
      } else missing -= chunk.length;
      if (missing > 0) return;
      const line = head.slice(0, head.indexOf('\r\n'));
      head = '';
      missing = Number.NaN;
      answered += 1;
      onRequest(socket, line);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const inputsOf = (elements: number) => ({
  inputs: { x: { datatype: 'INT32', shape: [1, elements], data: new Int32Array(elements) } } as const,
});

/** Answers the first inference. Runs each later one for 50 ms, then breaks the connection. */
function breaksAfterTheFirst() {
  const runs: string[] = [];
  const server = rawServer({
    onRequest: (socket, line) => {
      if (line.includes('/infer')) runs.push(line);
      if (runs.length < 2) socket.write(REPLY);
      else setTimeout(() => socket.resetAndDestroy(), 50);
    },
  });
  return { runs, server };
}

/** Uncaught errors of a test. */
function uncaughtErrors(): readonly unknown[] {
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  process.on('uncaughtExceptionMonitor', note);
  opened.push(() => process.off('uncaughtExceptionMonitor', note));
  return uncaught;
}

describe('a server that answers before it has read a large body', () => {
  it('ends no process when it closes the connection', async () => {
    let isAnswered = false;
    const url = await rawServer({
      onBytes: (socket) => {
        if (isAnswered) socket.resetAndDestroy();
        else socket.write(REPLY);
        isAnswered = true;
      },
      onRequest: () => {},
    });
    const uncaught = uncaughtErrors();
    const client = openInferenceClient(url);
    opened.push(() => client.close());
    await client.infer('m', inputsOf(4_000_000));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(uncaught).toEqual([]);
  });
});

describe('a kept connection that breaks', () => {
  it.each([
    ['closed', (socket: Socket) => socket.destroy()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('costs nothing where it is %s while a large body goes out', async (_, breakOff) => {
    const url = await rawServer({
      onBytes: (socket, answered) => {
        if (answered === 1) breakOff(socket);
      },
      onRequest: (socket) => socket.write(REPLY),
    });
    const uncaught = uncaughtErrors();
    const client = openInferenceClient(url);
    opened.push(() => client.close());
    await client.infer('m', inputsOf(4_000_000));
    await client.infer('m', inputsOf(4_000_000));
    expect(uncaught).toEqual([]);
  });

  it('is taken for one that was closed before, so that the call runs again', async () => {
    const { runs, server } = breaksAfterTheFirst();
    const client = openInferenceClient(await server);
    opened.push(() => client.close());
    await client.infer('m', inputsOf(1));
    await expect(client.infer('m', inputsOf(1))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(runs).toHaveLength(3);
  });

  it('costs nothing where the server closes all of them at once', async () => {
    const kept: Socket[] = [];
    const url = await rawServer({
      onRequest: (socket) => {
        if (kept.includes(socket) && kept.length === 2) socket.resetAndDestroy();
        else if (kept.length === 2) socket.write(REPLY);
        else if (kept.push(socket) === 2) for (const each of kept) each.write(REPLY);
      },
    });
    const client = openInferenceClient(url);
    opened.push(() => client.close());
    await Promise.all([client.infer('m', inputsOf(1)), client.infer('m', inputsOf(1))]);
    // Node keeps a connection only after the turn in which its answer ended.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(client.infer('m', inputsOf(1))).resolves.toHaveProperty('outputs.y');
  });

  it('is none where a call may not be repeated: it runs once', async () => {
    const { runs, server } = breaksAfterTheFirst();
    const client = openInferenceClient(await server, { mayRepeat: false });
    opened.push(() => client.close());
    await client.infer('m', inputsOf(1));
    await expect(client.infer('m', inputsOf(1))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(runs).toHaveLength(2);
  });
});

it.each(['http', 'grpc'])('a server without a port did not get a call over %s', async (scheme) => {
  const client = openInferenceClient(`${scheme}://127.0.0.1:9`);
  opened.push(() => client.close());
  const failure = { code: 'UNREACHABLE', details: { unsent: true } };
  await expect(client.infer('m', inputsOf(1))).rejects.toMatchObject(failure);
});

describe('a replica whose server is gone', () => {
  it('is lost with its batch, which the server was given once', async () => {
    const { runs, server } = breaksAfterTheFirst();
    const variant = variantNamed('v', { server: { urls: [await server], model: 'm', batching: 'stack' } });
    const stage = stageNamed('sends', [variant], { idempotent: false });
    const { runner } = await new RemoteReplicaLauncher().launch(launchRequestOf(stage));
    opened.push(() => void runner.close());
    const { inputs } = inputsOf(1);
    await runner.run([inputs]);
    await expect(runner.run([inputs])).rejects.toMatchObject({ code: 'REPLICA_LOST', details: { stage: 'sends' } });
    expect(runs).toHaveLength(2);
  });

  it.each([
    [1, false],
    [3, false],
    [1, true],
  ])(
    'is lost without its batch of %i, if its server is gone before; may it run twice: %s',
    async (size, idempotent) => {
      const server = createHttpServer((request, response) => {
        request.resume().on('end', () => response.end('{"name":"s","extensions":[]}'));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
      const variant = variantNamed('v', { server: { urls, model: 'm', batching: 'single' } });
      const stage = stageNamed('sends', [variant], { idempotent });
      const { runner } = await new RemoteReplicaLauncher().launch(launchRequestOf(stage));
      opened.push(() => void runner.close());
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      const batch = Array.from({ length: size }, () => inputsOf(1).inputs);
      await expect(runner.run(batch)).rejects.toMatchObject({ code: 'REPLICA_LOST', details: { unsent: true } });
    },
  );
});
