"""What the end-to-end tests are written with: servers, clients, workflows and the waiting for conditions."""
