from channels.consumer import AsyncConsumer as ShopConsumer


async def refuse(scope, receive, send):
    pass
