import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { selfSigned } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { RunningCommand, syntheticPipeline } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

const { equipoise, folder } = serveTests({ 'pipeline.yaml': syntheticPipeline() });
const first = selfSigned('first');
const second = selfSigned('second');
const flags = ['--tls-cert', 'tls.crt', '--tls-key', 'tls.key'];

function write({ cert, key }: { readonly cert: string; readonly key: string }) {
  writeFileSync(join(folder.path, 'tls.crt'), cert);
  writeFileSync(join(folder.path, 'tls.key'), key, { mode: 0o600 });
  chmodSync(join(folder.path, 'tls.key'), 0o600);
}

async function commonName(port: number, ca: string): Promise<unknown> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

describe('equipoise serve with a certificate', () => {
  it('answers over TLS, and shows a new certificate after SIGHUP', async () => {
    write(first);
    const ports = ['--port', '0', '--no-admin-port'];
    const command = new RunningCommand(folder.path, ['serve', 'pipeline.yaml', ...ports, ...flags]);
    const [, url = ''] = await command.said(/ready (https:\S+)/);
    const port = Number(new URL(url).port);
    const session = connectHttp2(url, { ca: first.cert });
    const stream = session.request({ ':path': '/readyz' });
    const [headers] = await once(stream, 'response');
    session.destroy();
    expect(headers[':status']).toBe(200);
    expect(await commonName(port, first.cert)).toBe('first');
    write({ cert: second.cert, key: first.key });
    command.signal('SIGHUP');
    await command.said(/the certificate is refused: [^\n]*cannot be used together/);
    expect(await commonName(port, first.cert)).toBe('first');
    write(second);
    command.signal('SIGHUP');
    await command.said(/the certificate has changed/);
    expect(await commonName(port, second.cert)).toBe('second');
  });

  it('wants certificate and key together, and a key that is closed to others', async () => {
    write(first);
    const half = await equipoise('serve', 'pipeline.yaml', '--port', '0', '--tls-cert', 'tls.crt');
    expect(half).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('belong together') });
    chmodSync(join(folder.path, 'tls.key'), 0o644);
    const open = await equipoise('serve', 'pipeline.yaml', '--port', '0', ...flags);
    expect(open).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('chmod 600') });
  });
});
