/** Self-signed certificates for 127.0.0.1 and localhost. Node can read certificates but not create them. */
import { generateKeyPairSync, sign } from 'node:crypto';

/** Certificate and key in PEM. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

const ECDSA_WITH_SHA256 = '06082a8648ce3d040302';
const COMMON_NAME = '0603550403';
const SUBJECT_ALT_NAME = '0603551d11';
const BASIC_CONSTRAINTS = '0603551d13';
const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, utf8: 0x0c, sequence: 0x30, set: 0x31, utcTime: 0x17 };

/** Valid until 2049. */
export function selfSigned(name: string): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, hex(ECDSA_WITH_SHA256));
  const who = der(TAG.sequence, der(TAG.set, der(TAG.sequence, hex(COMMON_NAME), der(TAG.utf8, Buffer.from(name)))));
  const body = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, hex('02'))),
    der(TAG.integer, hex('01')),
    algorithm,
    who,
    der(TAG.sequence, time('200101000000Z'), time('491231235959Z')),
    who,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(TAG.sequence, extension(SUBJECT_ALT_NAME, altNames()), extension(BASIC_CONSTRAINTS, isAuthority()))),
  );
  const signature = sign('sha256', body, privateKey);
  const whole = der(TAG.sequence, body, algorithm, der(TAG.bits, hex('00'), signature));
  const lines = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function altNames(): Buffer {
  return der(TAG.sequence, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.of(127, 0, 0, 1)));
}

function isAuthority(): Buffer {
  return der(TAG.sequence, hex('0101ff'));
}

function extension(id: string, value: Buffer): Buffer {
  return der(TAG.sequence, hex(id), der(TAG.octets, value));
}

function time(text: string): Buffer {
  return der(TAG.utcTime, Buffer.from(text));
}

/** ASN.1 value in DER: tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
