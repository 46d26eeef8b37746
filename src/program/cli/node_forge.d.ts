/**
 * Types of the parts of node-forge 1.4 that muster uses. Its own types import those of Node, which change the type of
 * `self` in Workers.
 * @module
 */

/** A public key of RSA. */
export interface PublicKey {
  readonly n: unknown;
  readonly e: unknown;
}

/** A private key of RSA. */
export interface PrivateKey extends PublicKey {
  readonly d: unknown;
}

/** A part of a name. */
export interface Attribute {
  name: string;
  value: string;
}

/** A certificate (RFC 5280). */
export interface Certificate {
  publicKey: PublicKey;
  /** Hexadecimal. */
  serialNumber: string;
  readonly validity: { notBefore: Date; notAfter: Date };
  readonly subject: { readonly attributes: readonly Attribute[] };
  setSubject(attributes: readonly Attribute[]): void;
  setIssuer(attributes: readonly Attribute[]): void;
  setExtensions(extensions: readonly { readonly name: string; readonly [field: string]: unknown }[]): void;
  sign(key: PrivateKey, digest: Digest): void;
}

/** A message digest. */
export interface Digest {
  readonly algorithm: string;
}

/** The library. */
export interface Forge {
  readonly md: { readonly sha256: { create(): Digest } };
  readonly pki: {
    readonly rsa: { generateKeyPair(bits: number): { publicKey: PublicKey; privateKey: PrivateKey } };
    createCertificate(): Certificate;
    /** Throws an error when it is none. */
    certificateFromPem(pem: string): Certificate;
    certificateToPem(certificate: Certificate): string;
    /** Throws an error when it is none. */
    privateKeyFromPem(pem: string): PrivateKey;
    privateKeyToAsn1(key: PrivateKey): unknown;
    wrapRsaPrivateKey(key: unknown): unknown;
    privateKeyInfoToPem(info: unknown): string;
  };
}

declare const forge: Forge;
export default forge;
