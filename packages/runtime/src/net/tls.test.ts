import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { grpcMethods, grpcPath, readMessage } from '@equipoise/open-inference-codec';
import { selfSigned } from '@equipoise/testkit';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask, HttpBench, INFER_PATH, inferBody, inferHeaders } from '../open-inference/http-bench.test-support.js';
import { TlsIdentity } from './tls.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-tls-'));
const bench = new HttpBench();
const first = selfSigned('first');
const second = selfSigned('second');

afterEach(() => bench.end());
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;

/** Writes certificate and key into two new files. */
function files({ cert, key }: { readonly cert: string; readonly key: string }, keyMode = 0o600) {
  written += 1;
  const paths = { certPath: join(folder, `${written}.crt`), keyPath: join(folder, `${written}.key`) };
  rewrite(paths, { cert, key });
  chmodSync(paths.keyPath, keyMode);
  return paths;
}

function rewrite(paths: { certPath: string; keyPath: string }, pair: { cert: string; key: string }) {
  writeFileSync(paths.certPath, pair.cert);
  writeFileSync(paths.keyPath, pair.key, { mode: 0o600 });
}

/** Common name of the certificate of a port, and the negotiated HTTP version. */
async function shown(url: string, ca: string, ALPNProtocols = ['h2', 'http/1.1']) {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, ALPNProtocols });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  const agreed = socket.alpnProtocol;
  socket.destroy();
  return [subject.CN, agreed];
}

describe('a server with a certificate', () => {
  it('answers HTTP/1.1 and HTTP/2, whichever is agreed on', async () => {
    const { server } = await bench.start({ tls: new TlsIdentity(files(first)) });
    expect(server.url).toMatch(/^https:/);
    expect(await shown(server.url, first.cert)).toEqual(['first', 'h2']);
    expect(await shown(server.url, first.cert, ['http/1.1'])).toEqual(['first', 'http/1.1']);
    const session = bench.session(server, { ca: first.cert });
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
    const agent = new Agent({ ca: first.cert });
    const sent = request(`${server.url}${INFER_PATH}`, { method: 'POST', agent });
    sent.end(inferBody);
    const [reply] = await once(sent, 'response');
    expect([reply.statusCode, reply.httpVersion]).toEqual([200, '1.1']);
    reply.resume();
    await once(reply, 'end');
    agent.destroy();
  });

  describe.each([
    ['HTTP', {}],
    ['gRPC', { grpcPort: 0 }],
  ] as const)('over %s', (_, more) => {
    const handshake = async (options: ConnectionOptions) => {
      const identity = new TlsIdentity(files(first));
      const { server } = await bench.start({ tls: identity, ...more });
      const port = Number(new URL(server.grpcAddress ? `http://${server.grpcAddress}` : server.url).port);
      const socket = connect({ host: '127.0.0.1', port, ca: first.cert, ALPNProtocols: ['h2'], ...options });
      return await new Promise<TLSSocket | Error>((resolve) =>
        socket.once('secureConnect', () => resolve(socket)).once('error', resolve),
      );
    };

    it.each([
      ['no older version', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }],
      [
        'no cipher without authentication',
        { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384' },
      ],
      ['no key exchange by the key of the certificate', { maxVersion: 'TLSv1.2', ciphers: 'AES256-GCM-SHA384' }],
    ] as const)('agrees to %s', async (_, options) => {
      expect(await handshake(options)).toBeInstanceOf(Error);
    });

    it('agrees to TLS 1.2, and never again on the same connection', async () => {
      const socket = (await handshake({ maxVersion: 'TLSv1.2' })) as TLSSocket;
      expect(socket.getProtocol()).toBe('TLSv1.2');
      const ended = new Promise((resolve) => socket.once('error', resolve).once('close', resolve));
      const renegotiated = new Promise<unknown>((resolve) => socket.renegotiate({}, resolve));
      expect(await Promise.race([renegotiated, ended])).not.toBe(null);
      socket.destroy();
    });
  });

  it('answers gRPC', async () => {
    const { server } = await bench.start({ tls: new TlsIdentity(files(first)), grpcPort: 0 });
    expect(await grpcLive(server.grpcAddress ?? '', first.cert)).toBe(true);
    await expect(grpcLive(server.grpcAddress ?? '', second.cert)).rejects.toThrow(/UNAVAILABLE|DEADLINE/);
  });

  it('notices a client that goes away', async () => {
    const wait = () => new Promise<void>(() => {});
    const { server, runner } = await bench.start({ tls: new TlsIdentity(files(first)), wait });
    const session = bench.session(server, { ca: first.cert });
    ask(session, inferHeaders, inferBody).reply.catch(() => {});
    await expect.poll(() => runner.inFlight).toBe(1);
    session.destroy();
    await expect.poll(() => runner.inFlight).toBe(0);
  });

  it('closes connections that are not encrypted, and serves on', async () => {
    const { server } = await bench.start({ tls: new TlsIdentity(files(first)) });
    for (const bytes of [
      'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\u0016\u0003\u0001\u0000',
    ]) {
      const socket = bench.socket(server);
      let answer = '';
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
      });
      socket.end(bytes);
      await once(socket, 'close');
      expect(answer).not.toContain('HTTP/1.1');
    }
    expect(await shown(server.url, first.cert)).toEqual(['first', 'h2']);
  });

  it('shows a new one to new connections once it is read, and open ones go on', async () => {
    const paths = files(first);
    const tls = new TlsIdentity(paths);
    const { server } = await bench.start({ tls, grpcPort: 0 });
    const session = bench.session(server, { ca: first.cert });
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
    rewrite(paths, second);
    expect(tls.reload()).toBe(true);
    await expect.poll(() => shown(server.url, second.cert).catch(String)).toEqual(['second', 'h2']);
    expect(await grpcLive(server.grpcAddress ?? '', second.cert)).toBe(true);
    expect((await ask(session, inferHeaders, inferBody).reply).status).toBe(200);
  });
});

describe('an identity', () => {
  it('is the same while its files are', () => {
    expect(new TlsIdentity(files(first)).reload()).toBe(false);
  });

  it.each([
    ['a missing certificate', { certPath: join(folder, 'none.crt') }, 'FILE_NOT_FOUND', 'There is no certificate'],
    ['a missing key', { keyPath: join(folder, 'none.key') }, 'FILE_NOT_FOUND', 'There is no key'],
    ['a folder for a key', { keyPath: folder }, 'FILE_UNREADABLE', 'cannot be read'],
  ])('is refused with %s', (_, wrong, code, words) => {
    const paths = { ...files(first), ...wrong };
    expect(() => new TlsIdentity(paths)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it.each([0o644, 0o604, 0o620, 0o640 | 0o001])('is refused with a key of mode %o', (mode) => {
    const error = expect.objectContaining({ code: 'FILE_UNREADABLE', message: expect.stringContaining('chmod 600') });
    expect(() => new TlsIdentity(files(first, mode))).toThrow(error);
  });

  it.each([0o600, 0o400, 0o640, 0o440])('takes a key of mode %o', (mode) => {
    expect(new TlsIdentity(files(first, mode)).current.key.toString()).toBe(first.key);
  });

  it('is refused where the key is that of another certificate, and what was before stays', () => {
    const mixed = { cert: first.cert, key: second.key };
    const error = expect.objectContaining({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('used together'),
    });
    expect(() => new TlsIdentity(files(mixed))).toThrow(error);
    const paths = files(first);
    const tls = new TlsIdentity(paths);
    let told = 0;
    tls.onChange(() => {
      told += 1;
    });
    rewrite(paths, mixed);
    expect(() => tls.reload()).toThrow(error);
    expect([tls.current.key.toString(), told]).toEqual([first.key, 0]);
    rewrite(paths, second);
    expect([tls.reload(), tls.current.key.toString(), told]).toEqual([true, second.key, 1]);
  });
});

async function grpcLive(address: string, ca: string): Promise<boolean> {
  const client = new Client(address, credentials.createSsl(Buffer.from(ca)));
  const same = (bytes: Buffer) => bytes;
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const path = grpcPath(grpcMethods.serverLive);
      const deadline = Date.now() + 30_000;
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), { deadline }, (error, bytes) =>
        error === null && bytes !== undefined ? resolve(bytes) : reject(error),
      );
    });
    return readMessage(grpcMethods.serverLive.output, answer).live;
  } finally {
    client.close();
  }
}
