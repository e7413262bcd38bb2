//! Dev-only: throwaway PostgreSQL and Redis, a fault proxy, and real services on free ports.
