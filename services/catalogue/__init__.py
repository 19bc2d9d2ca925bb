"""What is on offer: tools, knowledge, programmes and services, from an editor's draft to the public catalogue.

Owns the entries. Reading the public catalogue needs no account and is answered from memory; the truth is in MongoDB.
A national platform that the directory lists gets an entry of its own.

in: registration.cities, registration.accounts, registration.signing-keys, national-platforms.directory
out: catalogue.entries
"""
