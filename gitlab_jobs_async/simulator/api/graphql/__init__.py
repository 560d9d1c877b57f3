"""GraphQL of the simulated GitLab, written from app/graphql and its documentation."""
