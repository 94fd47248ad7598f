return 64; // No such role.
