"""Certificates for the clients that show one: an authority and what it issued, and one that a client issued itself. Made anew for each run."""

import datetime
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=2)


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(subject, key, issuer, signer, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def write(folder, stem, made, key):
    (folder / f"{stem}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path = folder / f"{stem}.key"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def make(folder):
    """Writes `ca`, `server`, `client` and `own`, each as `.pem` with its `.key`."""
    authority = new_key()
    is_authority = [(x509.BasicConstraints(ca=True, path_length=0), True)]
    ca = certificate(name("Interop authority"), authority, name("Interop authority"), authority, is_authority)
    write(folder, "ca", ca, authority)
    key = new_key()
    at = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = certificate(name("localhost"), key, ca.subject, authority, [(x509.SubjectAlternativeName(at), False)])
    write(folder, "server", made, key)
    key = new_key()
    usage = [
        (x509.SubjectAlternativeName([x509.DNSName("orders.interop.example")]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    ]
    write(folder, "client", certificate(name("orders"), key, ca.subject, authority, usage), key)
    key = new_key()
    write(folder, "own", certificate(name("own"), key, name("own"), key, []), key)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
