"""HTTP transport over aiohttp: connections, bodies, redirects, TLS, retries."""
